// What a row of the sheet is called: the study says it.

export const words = { item: "slide", items: "slides", Item: "Slide", Items: "Slides" };

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// Use a study's word in all of the page: elements with data-word, and labels with data-label around a {word}.
export function call(item) {
  Object.assign(words, { item, items: `${item}s`, Item: capital(item), Items: `${capital(item)}s` });
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = words[place.dataset.word];
  for (const place of document.querySelectorAll("[data-label]")) {
    place.setAttribute("aria-label", place.dataset.label.replace(/\{(\w+)\}/g, (_, word) => words[word]));
  }
}
