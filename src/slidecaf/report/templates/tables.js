"use strict";
// Tables that sort by a click on a heading, and filter; pictures that open large. Without this all is still there.
const made = (tag, text, attributes = {}) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.textContent = text;
  return element;
};
const value = (row, column) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
const compare = (a, b) => {
  if (a === "" || b === "") return (a === "") - (b === "");
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
};

function sortable(table) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    if (!heading.textContent.trim()) return;
    const button = made("button", heading.textContent, { type: "button", title: "sort" });
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = heading.ariaSort === "ascending";
      [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
      heading.ariaSort = down ? "descending" : "ascending";
      const rows = [...body.rows].sort((a, b) => {
        const [first, second] = [value(a, column), value(b, column)];
        const order = compare(first, second);
        return down && first !== "" && second !== "" ? -order : order; // what is empty stays last
      });
      body.append(...rows);
    });
  });
}

function filterable(box, table) {
  const rows = [...table.tBodies[0].rows];
  const tools = made("div", "", { className: "tools" });
  const input = made("input", "", { type: "search", placeholder: "filter: a name, a label …" });
  input.setAttribute("aria-label", "filter rows");
  const count = made("span", "", { className: "soft" });
  const quick = (box.dataset.quick ?? "").split("|").filter(Boolean).map((word) => {
    const button = made("button", word, { type: "button", ariaPressed: "false" });
    button.addEventListener("click", () => {
      button.ariaPressed = button.ariaPressed === "true" ? "false" : "true";
      apply();
    });
    return button;
  });
  const apply = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = quick.filter((button) => button.ariaPressed === "true").map((button) => button.textContent);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const kinds = (row.dataset.kinds ?? "").split("|");
      row.hidden = !(words.every((word) => text.includes(word)) && wanted.every((word) => kinds.includes(word)));
      shown += !row.hidden;
    }
    count.textContent = shown === rows.length ? `${shown} rows` : `${shown} of ${rows.length} rows`;
  };
  input.addEventListener("input", apply);
  tools.append(input, ...quick, count);
  box.before(tools);
  apply();
}

for (const table of document.querySelectorAll("table.sortable")) sortable(table);
for (const box of document.querySelectorAll(".filter")) filterable(box, box.querySelector("table"));

const dialog = document.createElement("dialog");
document.body.append(dialog);
dialog.addEventListener("click", () => dialog.close());
for (const picture of document.querySelectorAll("img.zoom")) {
  picture.tabIndex = 0;
  const open = () => {
    dialog.replaceChildren(made("img", "", { src: picture.src, alt: picture.alt }), made("p", picture.alt));
    dialog.showModal();
  };
  picture.addEventListener("click", open);
  picture.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
}

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.of).textContent.trim());
    button.textContent = "copied";
  });
}
