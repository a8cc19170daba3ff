// A log that is over, or stands still until the page is loaded again: numbered and to be searched.
import { LogView } from "./log_view.js";

new LogView(document.querySelector("[data-log]"));
