// The command palette. Ctrl-K (or ⌘K) opens it; words are looked up by the search page's JSON;
// arrows choose, Enter goes there.
const dialog = document.getElementById("palette");
const input = document.getElementById("palette-input");
const list = document.getElementById("palette-places");
const none = document.getElementById("palette-none");
const PAUSE = 120; // ms without a key before asking: a fast typist asks once
let waiting = 0;
let asked = 0;
let chosen = -1;

function open() {
  if (dialog.open) return;
  dialog.showModal();
  input.select();
  look();
}

async function look() {
  const mine = ++asked;
  const address = `${dialog.dataset.search}?q=${encodeURIComponent(input.value.trim())}`;
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (answer.redirected) return location.reload(); // signed out elsewhere
    const places = answer.ok ? await answer.json() : [];
    if (mine === asked) show(places); // an older question's answer came too late
  } catch {
    // The network is away for a moment; the next key asks again.
  }
}

function show(places) {
  list.replaceChildren();
  let group = "";
  for (const place of places) {
    if (place.group !== group) {
      group = place.group;
      list.append(element("div", "palette-group", group, { role: "presentation" }));
    }
    list.append(option(place, list.querySelectorAll("a").length));
  }
  none.hidden = places.length > 0;
  choose(places.length ? 0 : -1);
}

function option(place, number) {
  const link = element("a", "palette-place", "", { role: "option", id: `place-${number}`, tabindex: "-1" });
  link.href = place.url;
  link.append(icon(place.icon), element("span", "", place.title), element("span", "quiet", place.detail));
  link.addEventListener("pointermove", () => choose(number));
  return link;
}

function element(name, className, text, attributes = {}) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${dialog.dataset.icons}#${name}`);
  picture.append(use);
  return picture;
}

function choose(number) {
  const places = list.querySelectorAll("a");
  places[chosen]?.removeAttribute("aria-selected");
  chosen = places.length ? (number + places.length) % places.length : -1;
  const now = places[chosen];
  now?.setAttribute("aria-selected", "true");
  now?.scrollIntoView({ block: "nearest" });
  if (now) input.setAttribute("aria-activedescendant", now.id);
  else input.removeAttribute("aria-activedescendant");
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    open();
  }
});
input.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(look, PAUSE);
});
input.addEventListener("keydown", (event) => {
  const steps = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key in steps) {
    event.preventDefault();
    choose(chosen + steps[event.key]);
  } else if (event.key === "Enter") {
    event.preventDefault();
    list.querySelectorAll("a")[chosen]?.click();
  }
});
// A press beside the dialog closes it; inside, only links do anything.
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
  else if (event.target.closest("a")) dialog.close();
});
for (const button of document.querySelectorAll("[data-opens-palette]")) button.addEventListener("click", open);
