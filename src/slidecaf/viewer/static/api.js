// What the server is asked. Its errors are sentences for people.

export async function get(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
}

export const slidePath = (slide) => `/api/slides/${encodeURIComponent(slide)}`;

// A tile's address; the version lets the browser keep it for as long as the files behind it stay the same.
export const tilePath = (slide, layer, version, { z, x, y }) =>
  `/tiles/${encodeURIComponent(slide)}/${layer}/${-z}/${x}/${y}?v=${version}`;

// A slide made small. The browser asks each time whether what it has still holds.
export const thumbnailPath = (slide) => `/thumbnails/${encodeURIComponent(slide)}`;

// A patch that speaks for a decision or against it, as a small picture.
export const speakingPath = (slide, method, side, place, version) =>
  `/speaking/${encodeURIComponent(slide)}/${method}/${side}/${place}?v=${version}`;

// Ask again for what a picture could not show: the answer says why.
export async function explain(address) {
  const answer = await fetch(address, { cache: "no-store" });
  return answer.ok ? "" : (await answer.json()).error;
}
