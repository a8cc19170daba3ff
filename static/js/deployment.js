// A deployment's page: its log, and while it runs its steps and time, until the end is shown.
import { LogView } from "./log_view.js";

const root = document.querySelector("[data-deployment]");
const view = new LogView(document.querySelector("[data-log]"));

function follow(address) {
  const stream = new EventSource(address);
  const clocks = new Clocks();
  stream.addEventListener("log", (event) => view.append(JSON.parse(event.data)));
  stream.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    showSteps(state.steps);
    showState("state", state.status);
    clocks.set(state);
  });
  stream.addEventListener("end", () => {
    stream.close();
    location.reload(); // diagnosis, receipt and what may be done now
  });
  stream.addEventListener("error", () => {
    const isOver = stream.readyState === EventSource.CLOSED;
    root.querySelector("[data-broken]").hidden = !isOver;
  });
}

function showSteps(steps) {
  for (const step of steps) {
    showState(`step-${step.name}`, step.status);
    const line = document.getElementById(`step-${step.name}`)?.closest("li");
    if (line) line.dataset.status = step.status;
  }
}

// The page brings each state of the vocabulary as a template: words and colours stay in one place.
function showState(id, status) {
  const place = document.getElementById(id);
  if (!place || place.dataset.status === status) return;
  place.dataset.status = status;
  const kind = place.dataset.kind;
  place.replaceChildren(document.getElementById(`${kind}-${status}`).content.cloneNode(true));
}

// Times go on between two messages of the server.
class Clocks {
  #seconds = new Map();
  #since = 0;

  constructor() {
    setInterval(() => this.#show(), 1000);
  }

  set(state) {
    this.#since = performance.now();
    this.#seconds = new Map([["total", { seconds: state.seconds, ticks: !state.is_final }]]);
    for (const step of state.steps) {
      this.#seconds.set(step.name, { seconds: step.seconds, ticks: step.status === "running" });
    }
    this.#show();
  }

  #show() {
    const more = (performance.now() - this.#since) / 1000;
    for (const place of root.querySelectorAll("[data-seconds]")) {
      const clock = this.#seconds.get(place.dataset.seconds);
      if (!clock || clock.seconds === null) continue;
      place.textContent = words(clock.seconds + (clock.ticks ? more : 0));
    }
    const bar = root.querySelector("progress");
    const total = this.#seconds.get("total");
    if (bar && total?.seconds != null) bar.value = Math.min(total.seconds + more, bar.max * 0.97);
  }
}

// The same words as the filter `seconds` of the pages.
function words(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

if (root.dataset.stream) follow(root.dataset.stream);
else view.end();
