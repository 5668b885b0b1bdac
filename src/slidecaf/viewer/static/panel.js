// The layers of a slide: which show, how opaque, and what their colours mean.

import { get, slidePath } from "./api.js";
import { byId, element, options, rgb } from "./dom.js";
import { drawWhy, ends } from "./why.js";

const KINDS = [
  { kind: "comparison", title: "Prediction against truth", opacity: 0.5, on: true,
    colours: [["true", "true"], ["missed", "missed"], ["false", "false"]] },
  { kind: "confidence", title: "Confidence map", opacity: 0.6 },
  { kind: "prediction", title: "Prediction", opacity: 0.5, colours: [["prediction", "necrosis"]] },
  { kind: "truth", title: "Truth", opacity: 0.5, colours: [["truth", "necrosis"]] },
  { kind: "patches", title: "Patches", opacity: 0.6, colours: [["patches", "outlines"]] },
  { kind: "hard", title: "Hard examples of the last model", opacity: 0.8,
    colours: [["hard_missed", "missed"], ["hard_false", "false"]] },
  { kind: "tissue", title: "Tissue", opacity: 0.4, colours: [["tissue", "tissue"]] },
  { kind: "patch-score", title: "Patch scores", opacity: 0.6, on: true },
  { kind: "cluster", title: "Clusters of positive patches", opacity: 0.6 },
  // no method has these and patch scores
  { kind: "heatmap", title: "What speaks for the diagnosis", opacity: 0.6, key: 8, on: true },
  { kind: "membership", title: "Membership of places", opacity: 0.6, key: 8, on: true,
    colours: [["membership_0", "0"], ["membership_1", "the mean"], ["membership_2", "twice the mean or more"]] },
  { kind: "activation", title: "Class activation map", opacity: 0.6, key: 8, on: true,
    colours: [["membership_0", "0 or less"], ["membership_1", "half"], ["membership_2", "the largest value"]] },
  // nor this and hard examples
  { kind: "attention", title: "Attention", opacity: 0.6, key: 6,
    colours: [["membership_0", "0"], ["membership_1", "half"], ["membership_2", "the largest value"]] },
  // what takes images whole has no regions
  { kind: "region", title: "Region of interest", opacity: 0.7, key: 9, on: true,
    colours: [["veil", "outside, not looked at"]] },
  { kind: "foreground", title: "Foreground alone", opacity: 0.85, key: 9, colours: [["veil", "below the threshold"]] },
].map((about, place) => ({ key: place + 1, ...about }));

export class Panel {
  constructor(study, stage, onMaps) {
    this.stage = stage;
    this.legend = study.legend;
    this.state = new Map(KINDS.map(({ kind, opacity, on }) => [kind, { on: Boolean(on), opacity }]));
    this.touched = "comparison";
    this.hidden = null;
    this.slide = null;
    // maps of the segmentation, then methods of the classification that score patches
    const segmented = study.views.filter((view) => view.variant);
    const scored = study.views.filter((view) => view.meaning && !view.variant);
    const views = new Map([...segmented, ...scored].map((view) => [view.id, view]));
    this.views = views;
    if (!views.size) this.state.get("patches").on = true;
    options(byId("maps"), [...views.keys()], (id) => {
      const { method, variant } = views.get(id);
      return variant ? `${method}, ${variant}` : method;
    });
    for (const option of byId("maps").options) option.title = views.get(option.value).meaning;
    byId("maps-label").hidden = !views.size;
    byId("maps").addEventListener("change", () => this.draw());
    byId("maps").addEventListener("change", onMaps);
    byId("features").addEventListener("change", () => this.draw());
    const stops = this.legend.confidence.map(rgb).join(",");
    document.querySelector(".bar").style.backgroundImage = `linear-gradient(to right, ${stops})`;
  }

  maps() {
    return this.views.get(byId("maps").value);
  }

  // Show the maps of a view, or of the next one.
  choose(view) {
    if (this.views.has(view)) byId("maps").value = view;
    this.draw();
  }

  next() {
    const select = byId("maps");
    if (!select.length) return;
    select.selectedIndex = (select.selectedIndex + 1) % select.length;
    select.dispatchEvent(new Event("change"));
  }

  open(slide) {
    this.slide = slide;
    const patches = slide.layers.filter((layer) => layer.kind === "patches");
    const encoders = new Map(patches.map((layer) => [layer.features, layer.encoder]));
    const before = byId("features").value;
    // only imported features name their encoder, which stands in no config
    options(byId("features"), [...encoders.keys()], (set) => set + (encoders.get(set) && ` (${encoders.get(set)})`));
    if (encoders.has(before)) byId("features").value = before;
    byId("features-label").hidden = encoders.size < 2 && ![...encoders.values()].some(Boolean);
    this.draw();
  }

  close() {
    this.slide = null;
    byId("layers").replaceChildren();
    byId("colours").hidden = byId("features-label").hidden = byId("why").hidden = true;
  }

  // Show or hide the layer that has a key.
  toggleKey(key) {
    const kinds = KINDS.filter((about) => about.key === key).map(({ kind }) => kind);
    this.toggle(kinds.find((kind) => this.slide && this.#layer(kind)) ?? kinds[0]);
  }

  toggle(kind) {
    this.hidden = null;
    this.touched = kind;
    this.state.get(kind).on = !this.state.get(kind).on;
    this.draw();
  }

  fade(by) {
    const state = this.state.get(this.touched);
    state.opacity = Math.round(100 * Math.min(1, Math.max(0, state.opacity + by))) / 100;
    this.draw();
  }

  toggleAll() {
    if (this.hidden) {
      for (const kind of this.hidden) this.state.get(kind).on = true;
      this.hidden = null;
    } else {
      this.hidden = KINDS.map(({ kind }) => kind).filter((kind) => this.state.get(kind).on);
      for (const kind of this.hidden) this.state.get(kind).on = false;
    }
    this.draw();
  }

  #layer(kind) {
    const maps = this.maps(), features = byId("features").value;
    return this.slide.layers.find(
      (layer) =>
        layer.kind === kind &&
        (layer.method === undefined || layer.method === maps?.method) &&
        (layer.variant === undefined || layer.variant === maps?.variant) &&
        (layer.features === undefined || layer.features === features),
    );
  }

  draw() {
    if (!this.slide) return;
    const items = [], wanted = new Set(["image"]);
    for (const about of KINDS) {
      const layer = this.#layer(about.kind), state = this.state.get(about.kind);
      if (layer?.ready && state.on) {
        wanted.add(layer.id);
        this.stage.show(layer, state.opacity);
      }
      if (layer) items.push(this.#item(about, layer, state));
    }
    for (const id of [...this.stage.drawn.keys()]) if (!wanted.has(id)) this.stage.hide(id);
    const focused = document.activeElement?.dataset?.control;
    byId("layers").replaceChildren(...items);
    byId("no-layers").hidden = items.length > 0;
    if (focused) byId("layers").querySelector(`[data-control="${focused}"]`)?.focus();
    this.#colourBar();
  }

  #item(about, layer, state) {
    const { kind, key, title, colours = [] } = about;
    const box = element("input", { type: "checkbox", checked: state.on && layer.ready, disabled: !layer.ready });
    box.dataset.control = `${kind}-on`;
    box.addEventListener("change", () => this.toggle(kind));
    const text = layer.ready ? title : `${title}: not computed yet`;
    const head = element("label", { className: "head" }, box, element("span", { textContent: text }));
    head.append(element("kbd", { textContent: String(key) }));
    const fade = element("input", { type: "range", min: 0, max: 100, value: 100 * state.opacity, disabled: !layer.ready });
    fade.setAttribute("aria-label", `${title}: opacity`);
    fade.dataset.control = `${kind}-fade`;
    fade.addEventListener("input", () => {
      state.opacity = fade.value / 100;
      this.touched = kind;
      if (state.on) this.stage.show(layer, state.opacity);
    });
    const swatches = element("div", { className: "swatches" });
    for (const [name, meaning] of colours) {
      const square = element("i");
      square.style.background = rgb(this.legend[name]);
      swatches.append(element("span", {}, square, meaning));
    }
    if (kind === "cluster") {
      for (const [number, colour] of this.legend.clusters.entries()) {
        if (number >= layer.clusters) break;
        const square = element("i");
        square.style.background = rgb(colour);
        swatches.append(element("span", {}, square, String(number)));
      }
    }
    const item = element("li", { className: layer.ready ? "" : "off" }, head);
    if (swatches.children.length) item.append(swatches);
    if (layer.ready) item.append(fade);
    item.dataset.kind = kind;
    return item;
  }

  // The colour bar belongs to one slide's map: its ends and its threshold.
  async #colourBar() {
    const slide = this.slide.slide, maps = this.maps();
    const layers = ["confidence", "patch-score", "heatmap"].map((kind) => this.#layer(kind));
    const layer = layers.find((one) => one?.ready && this.state.get(one.kind).on);
    const shown = Boolean(layer);
    byId("colours").hidden = !shown;
    this.scale = null;
    byId("why").hidden = true;
    if (!shown) return;
    const why = layer.kind === "heatmap", of = why ? "why" : "confidence";
    const path = [slidePath(slide), of, layer.method, layer.variant].filter(Boolean).join("/");
    const found = await get(path).catch(() => null); // a damaged map is reported by its tiles
    if (!found || this.slide?.slide !== slide || this.maps() !== maps) return;
    this.scale = found.scale;
    if (why) drawWhy(slide, layer.method, found);
    byId("colours-title").textContent = why ? "Patch confidence" : "Confidence";
    const { scale, threshold } = found;
    const [below, above] = why && found.patches ? ends(found) : ["", ""];
    byId("low").textContent = `−${scale} ${below}`;
    byId("high").textContent = `${above} +${scale}`;
    const mark = byId("threshold");
    mark.hidden = threshold === null;
    mark.style.left = `${this.#place(threshold ?? 0)}%`;
    byId("threshold-text").textContent = threshold === null ? "" : `necrosis above ${threshold.toFixed(3)} (black line)`;
  }

  #place(value) {
    return 50 + 50 * Math.max(-1, Math.min(1, value / this.scale));
  }

  // Mark the value under the pointer on the colour bar.
  point(confidence) {
    const known = typeof confidence === "number" && this.scale;
    byId("here").style.visibility = known ? "visible" : "hidden";
    if (known) byId("here").style.left = `${this.#place(confidence)}%`;
  }
}
