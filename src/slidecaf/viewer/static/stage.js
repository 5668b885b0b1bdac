// The slide and its layers, drawn by Leaflet on one plane: a unit is a pixel of level 0, y grows downwards, zoom 0 is
// full resolution. Zoom steps are factors of two, so that at rest a pixel of a tile is a whole number of pixels of the
// screen, or the other way round, for the slide and for every layer alike.

import { tilePath } from "./api.js";
import { byId } from "./dom.js";

const L = window.L;
const PLANE = L.Util.extend({}, L.CRS.Simple, { transformation: new L.Transformation(1, 0, 1, 0) });
const LARGEST = 6;
const OVERVIEW = 160;
const ORDER = ["image", "confidence", "patch-score", "heatmap", "cluster", "membership", "activation", "attention", "foreground", "truth", "prediction", "comparison", "tissue", "region", "patches", "hard"];
const FRAME = { pane: "frame", color: "#e0007a", weight: 3, fill: false, interactive: false };

export class Stage extends EventTarget {
  constructor() {
    super();
    this.map = L.map("map", {
      crs: PLANE, zoomSnap: 1, zoomControl: false, attributionControl: false, keyboard: false, fadeAnimation: false,
      zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches, wheelPxPerZoomLevel: 90,
    });
    for (const [height, kind] of [...ORDER, "frame"].entries()) this.map.createPane(kind).style.zIndex = 201 + height;
    this.slide = null;
    this.drawn = new Map();
    this.map.on("zoomend", () => byId("map").classList.toggle("enlarged", this.map.getZoom() > 0));
    this.map.on("move zoomend resize", () => this.#moved());
    this.map.on("mousemove", (event) => this.#tell("point", this.#pixel(event.latlng)));
    this.map.on("mouseout", () => this.#tell("point", null));
    byId("overview").addEventListener("click", (event) => this.#jump(event));
  }

  open(slide) {
    this.close();
    this.slide = slide;
    this.map.options.minZoom = -slide.reductions;
    this.map.options.maxZoom = LARGEST;
    this.bounds = L.latLngBounds([0, 0], [slide.height, slide.width]);
    this.show({ id: "image", kind: "image", version: slide.version }, 1);
    // the overview is the one tile of the coarsest reduction, drawn smaller
    const overview = byId("overview"), [picture] = overview.children;
    this.small = Math.min(OVERVIEW / Math.max(slide.width, slide.height), 1);
    overview.style.width = `${slide.width * this.small}px`;
    overview.style.height = `${slide.height * this.small}px`;
    picture.style.transform = `scale(${this.small * 2 ** slide.reductions})`;
    picture.src = tilePath(slide.slide, "image", slide.version, { z: -slide.reductions, x: 0, y: 0 });
  }

  close() {
    for (const id of [...this.drawn.keys()]) this.hide(id);
    this.frame?.remove();
    this.frame = this.slide = null;
    byId("overview").hidden = byId("scale").hidden = true;
  }

  // Show a layer, or change how opaque it is.
  show(layer, opacity) {
    const there = this.drawn.get(layer.id);
    if (there) return there.setOpacity(opacity);
    const { slide } = this.slide;
    const tiles = L.tileLayer("", {
      pane: layer.kind, opacity, tileSize: 256, bounds: this.bounds, noWrap: true, keepBuffer: 1,
      minZoom: -this.slide.reductions, maxZoom: LARGEST, minNativeZoom: -this.slide.reductions, maxNativeZoom: 0,
    });
    tiles.getTileUrl = (at) => tilePath(slide, layer.id, layer.version, { x: at.x, y: at.y, z: tiles._getZoomForUrl() });
    let told = false;
    tiles.on("tileerror", ({ tile }) => {
      if (!told) this.#tell("failed", tile.src);
      told = true;
    });
    this.drawn.set(layer.id, tiles);
    if (this.map._loaded) tiles.addTo(this.map);
  }

  hide(id) {
    this.drawn.get(id)?.remove();
    this.drawn.delete(id);
  }

  whole() {
    this.#view(this.bounds.getCenter(), this.map.getBoundsZoom(this.bounds));
  }

  full() {
    if (this.slide) this.map.setZoom(0);
  }

  // Look at a square: it takes half of the view at most, and is framed.
  lookAt(x, y, width) {
    const size = this.map.getSize();
    const zoom = Math.floor(Math.log2(Math.min(size.x, size.y) / 2 / width));
    this.#view([y + width / 2, x + width / 2], Math.max(-this.slide.reductions, Math.min(LARGEST, zoom)));
    this.frame?.remove();
    this.frame = L.rectangle([[y, x], [y + width, x + width]], FRAME).addTo(this.map);
  }

  // The square that `lookAt` would show as what is seen now.
  square() {
    const size = this.map.getSize(), centre = this.map.getCenter();
    const width = Math.max(1, Math.floor(Math.min(size.x, size.y) / 2 / 2 ** this.map.getZoom()));
    return { x: Math.round(centre.lng - width / 2), y: Math.round(centre.lat - width / 2), w: width };
  }

  pan(across, down) {
    if (this.slide) this.map.panBy([across * 120, down * 120], { animate: false });
  }

  zoom(steps) {
    if (this.slide) this.map.setZoom(this.map.getZoom() + steps);
  }

  #view(centre, zoom) {
    this.map.setView(centre, zoom, { animate: false });
    for (const tiles of this.drawn.values()) tiles.addTo(this.map);
    byId("map").classList.toggle("enlarged", zoom > 0);
    this.#moved();
  }

  #pixel({ lng, lat }) {
    const x = Math.floor(lng), y = Math.floor(lat), slide = this.slide;
    return slide && x >= 0 && y >= 0 && x < slide.width && y < slide.height ? { x, y } : null;
  }

  #moved() {
    if (!this.slide || !this.map._loaded) return;
    const seen = this.map.getBounds(), overview = byId("overview"), { style } = overview.lastElementChild;
    const [left, right] = [seen.getWest(), seen.getEast()], [top, bottom] = [seen.getSouth(), seen.getNorth()];
    style.left = `${left * this.small}px`;
    style.top = `${top * this.small}px`;
    style.width = `${(right - left) * this.small}px`;
    style.height = `${(bottom - top) * this.small}px`;
    overview.hidden = left <= 0 && top <= 0 && right >= this.slide.width && bottom >= this.slide.height;
    this.#ruler();
    this.#tell("moved", { zoom: this.map.getZoom() });
  }

  // A ruler of some 120 px: micrometres where the resolution is known, pixels of level 0 elsewhere.
  #ruler() {
    const unit = this.slide.mpp ?? 1, perScreen = unit / 2 ** this.map.getZoom();
    const power = 10 ** Math.floor(Math.log10(120 * perScreen));
    const length = [5, 2, 1].map((step) => step * power).find((step) => step <= 120 * perScreen);
    const [text, bar] = byId("scale").children;
    const millimetres = this.slide.mpp && length >= 1000;
    text.textContent = this.slide.mpp ? (millimetres ? `${length / 1000} mm` : `${length} µm`) : `${length} px`;
    bar.style.width = `${length / perScreen}px`;
    byId("scale").hidden = false;
  }

  #jump(event) {
    const box = byId("overview").getBoundingClientRect();
    this.map.panTo([(event.clientY - box.top) / this.small, (event.clientX - box.left) / this.small]);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
