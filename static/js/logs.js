// An environment's log: goes on by itself as the site writes.
import { LogView } from "./log_view.js";

const root = document.querySelector("[data-log]");
const state = root.querySelector("[data-log-state]");
const view = new LogView(root);
const stream = new EventSource(root.dataset.stream);

stream.addEventListener("open", () => say("live"));
stream.addEventListener("log", (event) => view.append(JSON.parse(event.data)));
stream.addEventListener("error", () => {
  say(stream.readyState === EventSource.CLOSED ? "ended" : "broken");
});

function say(word) {
  state.dataset.state = word;
  state.textContent = state.dataset[word];
}
