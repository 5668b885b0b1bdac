// Elements made from names and text; text of users is only ever text.

export const byId = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made && key !== "list") made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

export const rgb = (colour) => `rgb(${colour.join(",")})`;

export function options(select, values, text) {
  select.replaceChildren(...values.map((value) => element("option", { value, textContent: text(value) })));
}
