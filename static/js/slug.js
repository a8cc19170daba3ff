// Suggests an address name from the name, until a person writes one, and shows the addresses.
const LONGEST = 40;
const form = document.querySelector("[data-slug-form]");
const name = form.elements.namedItem("name");
const slug = form.elements.namedItem("slug");
let isOwn = slug.value !== "" && slug.value !== suggest(name.value);

function suggest(text) {
  const letters = text.normalize("NFKD").replace(/[\u0300-\u036f']/g, "").toLowerCase();
  const dashed = letters.replace(/[^a-z0-9]+/g, "-").replace(/^-+/, "");
  return dashed.slice(0, LONGEST).replace(/-+$/, "");
}

function preview() {
  for (const place of form.querySelectorAll("[data-address]")) {
    place.textContent = place.dataset.address.replace("*", slug.value || slug.placeholder);
  }
}

name.addEventListener("input", () => {
  if (!isOwn) slug.value = suggest(name.value);
  preview();
});
slug.addEventListener("input", () => {
  isOwn = slug.value !== "";
  preview();
});
// Somebody may have typed before this script was there.
if (!isOwn) slug.value = suggest(name.value);
preview();
