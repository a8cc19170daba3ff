// Shows the preview of an addon's form in the page. Secrets that were typed stay in their fields:
// the server never sends them back, so they are carried over to the form that it answers with.
const PARTS = ["answer", "addon-form", "preview"];

function form() {
  return document.getElementById("addon-form");
}

async function preview(event) {
  if (event.submitter?.value === "save") return;
  event.preventDefault();
  const sent = form();
  const body = new FormData(sent, event.submitter);
  sent.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(sent.action, { method: "POST", body, headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload(); // signed out elsewhere
    show(new DOMParser().parseFromString(await answer.text(), "text/html"), sent);
  } catch {
    sent.submit(); // the browser says what is wrong with the network
  }
}

function show(fresh, sent) {
  if (!fresh.getElementById("addon-form")) return sent.submit();
  const typed = [...sent.querySelectorAll("[data-secret]")].map((field) => [field.id, field.value]);
  const unfolded = [...sent.querySelectorAll("details")].map((part) => part.open);
  for (const id of PARTS) {
    document.getElementById(id).replaceWith(document.adoptNode(fresh.getElementById(id)));
  }
  for (const [id, value] of typed) document.getElementById(id).value = value;
  form().querySelectorAll("details").forEach((part, number) => (part.open ||= unfolded[number]));
  listen();
  const wrong = form().querySelector("[aria-invalid=true]");
  const told = document.querySelector("#answer [role=alert], #addon-form [role=alert]");
  const next = wrong ?? (told ? document.getElementById("answer") : document.getElementById("preview"));
  next.focus();
}

// What was changed after the preview was not previewed.
function spoil() {
  const save = document.querySelector("#preview [data-save]");
  if (!save || save.hidden) return;
  save.hidden = true;
  document.querySelector("#preview [data-stale]").hidden = false;
}

function listen() {
  form().addEventListener("submit", preview);
  form().addEventListener("input", spoil);
}

if (form()) listen();
