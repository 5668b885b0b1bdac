// The keyboard. Keys that a control needs for itself stay with it.

import { byId } from "./dom.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const OF_SELECT = /^Arrow|^Page|^Home$|^End$|^Enter$|^[a-z]$/;

// What keys do in the view of a slide, and in the grid.
function bindings({ stage, panel, list, grid, copyLink, change }) {
  const common = { g: change, l: copyLink, "?": () => byId("help").showModal() };
  const slide = {
    ...common,
    "+": () => stage.zoom(1),
    "=": () => stage.zoom(1),
    "-": () => stage.zoom(-1),
    0: () => stage.slide && stage.whole(),
    z: () => stage.full(),
    n: () => list.step(1),
    p: () => list.step(-1),
    "[": () => panel.fade(-0.1),
    "]": () => panel.fade(0.1),
    h: () => panel.toggleAll(),
    m: () => panel.next(),
    "/": () => byId("filter").focus(),
  };
  for (let key = 1; key <= 9; key++) slide[key] = () => panel.toggleKey(key);
  const cells = {
    ...common,
    "+": () => grid.resize(1),
    "=": () => grid.resize(1),
    "-": () => grid.resize(-1),
    n: () => grid.move(1),
    p: () => grid.move(-1),
    m: () => grid.next(),
    Home: () => grid.end(false),
    End: () => grid.end(true),
    PageUp: () => grid.page(-1),
    PageDown: () => grid.page(1),
    Enter: () => grid.enter(),
    "/": () => byId("grid-text").focus(),
  };
  for (const [key, move] of Object.entries(MOVES)) {
    slide[key] = () => stage.pan(...move);
    cells[key] = () => grid.move(...move);
  }
  return { slide, grid: cells };
}

export function listen(parts) {
  const keys = bindings(parts);
  document.addEventListener("keydown", (event) => {
    const { target, key } = event, mode = document.body.dataset.mode;
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (target.matches("input[type=search]")) {
      if (key === "Escape") mode === "grid" ? parts.grid.focus() : byId("map").focus();
      return;
    }
    if (target.matches("select") && OF_SELECT.test(key)) return;
    if (target.matches("input[type=range]") && /^Arrow|^[-+]$/.test(key)) return;
    if (target.matches("button, a") && key === "Enter") return;
    if (!Object.hasOwn(keys[mode], key)) return;
    event.preventDefault();
    keys[mode][key]();
  });
  byId("help-open").addEventListener("click", () => byId("help").showModal());
}
