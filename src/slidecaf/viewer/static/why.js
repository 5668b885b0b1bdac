// Why a slide is called what it is: the sum in words, and the patches that speak most, each a click from its place.

import { speakingPath } from "./api.js";
import { byId, element } from "./dom.js";

// The classes that the colours' ends speak for.
export const ends = ({ against, speaks_for: named }) => [against || "the others", named];

const signed = (value) => {
  const size = Math.abs(value);
  return `${value < 0 ? "−" : "+"}${size >= 100 ? size.toFixed(0) : size.toPrecision(3)}`;
};

function patch(slide, method, side, place, version, { x, y, w, value }) {
  const address = new URLSearchParams({ slide, x, y, w });
  const picture = element("img", { src: speakingPath(slide, method, side, place, version), alt: "" });
  const title = `Patch confidence ${signed(value)}, x ${x}, y ${y}: go there`;
  return element("li", {}, element("a", { href: `#${address}`, title }, picture, element("span", { textContent: signed(value) })));
}

export function drawWhy(slide, method, found) {
  byId("why").hidden = !found.patches;
  if (!found.patches) return;
  const { confidence, speaking, patches, most, version, of } = found, [others, named] = ends(found);
  const shared = of === "probability";
  const first = shared ? `A patch's confidence is its probability of ${named} less that of ${others}. ` : "";
  const decided = shared ? "the difference that decides" : "the decision";
  byId("why-said").textContent =
    `${first}The mean of ${patches} patch ${patches > 1 ? "confidences" : "confidence"} is ${decided}, ${signed(confidence)}: ` +
    `above 0 for ${named}, below for ${others}. ${speaking} speak for ${named}.`;
  const lists = [["for", named], ["against", others]].flatMap(([side, label]) => {
    const items = most[side].map((one, place) => patch(slide, method, side, place, version, one));
    const none = items.length ? [] : [element("li", { className: "faint", textContent: "none" })];
    return [element("h3", { textContent: `Most for ${label}` }), element("ul", {}, ...items, ...none)];
  });
  byId("why-patches").replaceChildren(...lists);
}
