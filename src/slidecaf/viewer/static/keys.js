// The keyboard. Keys that a control needs for itself stay with it.

import { byId } from "./dom.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function listen({ stage, panel, list, copyLink }) {
  const actions = {
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
    l: copyLink,
    "/": () => byId("filter").focus(),
    "?": () => byId("help").showModal(),
  };
  for (let place = 0; place < 9; place++) actions[place + 1] = () => panel.toggle(place);
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (target.matches("input[type=search]")) {
      if (key === "Escape") byId("map").focus();
      return;
    }
    if (target.matches("select") && /^Arrow|^[a-z]$/.test(key)) return;
    if (target.matches("input[type=range]") && /^Arrow|^[-+]$/.test(key)) return;
    const move = MOVES[key], action = move ? () => stage.pan(...move) : Object.hasOwn(actions, key) ? actions[key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  });
  byId("help-open").addEventListener("click", () => byId("help").showModal());
}
