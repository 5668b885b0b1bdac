// What lies under the pointer, asked of the server one pixel at a time: the last one wins.

import { get, slidePath } from "./api.js";
import { byId, element } from "./dom.js";

// What is stored ends at twice the mean.
function membership(value) {
  if (value === null) return "none";
  return value >= 2 ? "twice the mean or more" : `${value.toFixed(2)} × the mean`;
}

export class Readout {
  constructor(panel) {
    this.panel = panel;
    this.asked = this.waiting = null;
    this.percent = "";
    this.write([]);
  }

  zoomed(zoom) {
    const share = 100 * 2 ** zoom;
    this.percent = `${share >= 1 ? share : share.toPrecision(2)} %`;
    if (!this.asked) this.write([]);
  }

  point(slide, at) {
    this.waiting = { slide, at, maps: this.panel.maps() };
    if (!this.asked) this.#ask();
  }

  async #ask() {
    byId("readout").setAttribute("aria-busy", true);
    while (this.waiting) {
      const { slide, at, maps } = (this.asked = this.waiting);
      this.waiting = null;
      if (!slide || !at) {
        this.panel.point(null);
        this.write([]);
        continue;
      }
      const query = new URLSearchParams({ method: maps?.method ?? "", variant: maps?.variant ?? "", x: at.x, y: at.y });
      const under = await get(`${slidePath(slide.slide)}/values?${query}`).catch(() => ({}));
      const said = [["x", at.x], ["y", at.y]];
      if (slide.mpp) said.push(["at", `${(at.x * slide.mpp).toFixed(1)}, ${(at.y * slide.mpp).toFixed(1)} µm`]);
      if ("confidence" in under) said.push(["confidence", under.confidence === null ? "none" : under.confidence.toFixed(4)]);
      if ("patch" in under) said.push(["patch confidence", under.patch === null ? "none" : under.patch.toPrecision(3)]);
      if ("score" in under) said.push(["score", under.score === null ? "none" : under.score.toFixed(4)]);
      if ("cluster" in under) said.push(["cluster", under.cluster ?? "none"]);
      if ("membership" in under) said.push(["membership", membership(under.membership)]);
      if ("activation" in under) said.push(["activation", under.activation === null ? "none" : `${under.activation.toFixed(2)} × the largest`]);
      if ("attention" in under) said.push(["attention", under.attention === null ? "none" : `${under.attention.toFixed(2)} × the largest`]);
      if ("prediction" in under) said.push(["predicted", under.prediction ? "necrosis" : "no"]);
      if ("truth" in under) said.push(["truth", under.truth ? "necrosis" : "no"]);
      this.panel.point(under.confidence ?? under.score ?? under.patch);
      this.write(said);
    }
    this.asked = null;
    byId("readout").setAttribute("aria-busy", false);
  }

  write(said) {
    const parts = [["zoom", this.percent], ...said].map(([name, value]) => {
      const text = element("span", {}, `${name} `, element("b", { textContent: String(value) }));
      text.dataset.name = name;
      return text;
    });
    byId("readout").replaceChildren(...parts);
  }
}
