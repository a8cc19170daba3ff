// A log on a page: numbered lines to link to, a filter, and following the end while it grows.
const LONGEST = 20000; // lines kept on the page; the download has all
const SURPLUS = 2000;
const COLOURS = /\u001b\[[0-9;?]*[A-Za-z]/g;
const HEADING = /^=====.*=====$/;

export class LogView {
  #box;
  #list;
  #rest = "";
  #count = 0;
  #words = "";
  #shown = 0;
  #follow;
  #tally;
  #empty;

  constructor(root) {
    this.#box = root.querySelector("[data-log-box]");
    this.#follow = root.querySelector("[data-log-follow]");
    this.#tally = root.querySelector("[data-log-tally]");
    this.#empty = root.querySelector("[data-log-empty]");
    const text = this.#box.querySelector("pre");
    this.#list = document.createElement("div");
    this.#list.className = "log-lines";
    this.#box.replaceChildren(this.#list);
    this.append(text.textContent);
    this.#listen(root.querySelector("[data-log-search]"));
    if ("endsFirst" in root.dataset && !location.hash) this.#scrollToEnd();
    this.#goToTarget();
  }

  get isFollowing() {
    return this.#follow?.getAttribute("aria-pressed") === "true";
  }

  append(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    if (lines.length === 0) return;
    this.#empty?.remove();
    const fresh = document.createDocumentFragment();
    for (const line of lines) fresh.append(this.#draw(line.replace(COLOURS, "").replace(/\r$/, "")));
    this.#list.append(fresh);
    this.#drop();
    if (this.#words) this.#say();
    if (this.isFollowing) this.#scrollToEnd();
  }

  // A last line without a line end is shown when no more is to come.
  end() {
    if (this.#rest) this.append("\n");
  }

  #draw(text) {
    this.#count += 1;
    const line = document.createElement("div");
    const number = document.createElement("a");
    const words = document.createElement("span");
    line.className = HEADING.test(text) ? "log-line log-heading" : "log-line";
    line.id = `L${this.#count}`;
    number.href = `#${line.id}`;
    number.className = "log-number";
    number.tabIndex = -1;
    number.textContent = this.#count;
    words.textContent = text;
    line.append(number, words);
    this.#match(line);
    return line;
  }

  #drop() {
    if (this.#list.childElementCount < LONGEST + SURPLUS) return;
    while (this.#list.childElementCount > LONGEST) this.#list.firstElementChild.remove();
  }

  #match(line) {
    const found = !this.#words || line.lastElementChild.textContent.toLowerCase().includes(this.#words);
    line.hidden = !found;
    if (found) this.#shown += 1;
  }

  #filter(words) {
    this.#words = words.trim().toLowerCase();
    this.#shown = 0;
    for (const line of this.#list.children) this.#match(line);
    this.#highlight();
    this.#say();
    if (this.isFollowing) this.#scrollToEnd();
  }

  #highlight() {
    if (!CSS.highlights) return;
    const ranges = [];
    for (const line of this.#words ? this.#list.children : []) {
      const node = line.lastElementChild.firstChild;
      const place = line.hidden || !node ? -1 : node.data.toLowerCase().indexOf(this.#words);
      if (place < 0) continue;
      const range = new Range();
      range.setStart(node, place);
      range.setEnd(node, Math.min(place + this.#words.length, node.length));
      ranges.push(range);
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  #say() {
    const { template } = this.#tally.dataset;
    this.#tally.textContent = this.#words ? template.replace("*", this.#shown) : "";
  }

  #listen(search) {
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#filter(search.value), 150);
    });
    if (!this.#follow) return;
    this.#follow.addEventListener("click", () => this.#setFollowing(!this.isFollowing));
    // Whoever scrolls up wants to read; whoever comes back to the end wants to follow.
    this.#box.addEventListener("scroll", () => {
      const below = this.#box.scrollHeight - this.#box.clientHeight - this.#box.scrollTop;
      if (below > 80 && this.isFollowing) this.#setFollowing(false);
      else if (below < 8 && !this.isFollowing) this.#setFollowing(true);
    });
    if (this.isFollowing && !location.hash) this.#scrollToEnd();
  }

  #setFollowing(isWanted) {
    this.#follow.setAttribute("aria-pressed", String(isWanted));
    if (isWanted) this.#scrollToEnd();
  }

  #scrollToEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  // The browser looked for the line before this script drew it.
  #goToTarget() {
    if (!/^#L\d+$/.test(location.hash)) return;
    this.#follow?.setAttribute("aria-pressed", "false");
    const line = document.getElementById(location.hash.slice(1));
    if (!line) return;
    location.replace(location.hash); // so that :target marks it
    line.scrollIntoView({ block: "center" });
  }
}
