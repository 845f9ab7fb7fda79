// `slugify`: a tool in JavaScript. It asks for nothing, and its grant gives nothing.
//
//   writ run slugify.wasm --call slugify --args '["Été à Paris!"]'

export function slugify(title) {
  return title
    .normalize("NFD")
    .replace(/\p{Mark}/gu, "")
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
}
