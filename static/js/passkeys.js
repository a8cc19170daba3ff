// Forms with data-passkey="create" or "get" ask the browser for a passkey before they are sent:
// options come from data-passkey-options, the answer goes along in the field "passkey".
const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const described = (credentials = []) => credentials.map((one) => ({ ...one, id: bytes(one.id) }));

async function fetchOptions(form) {
  const answer = await fetch(form.dataset.passkeyOptions, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new FormData(form),
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

async function ask(form) {
  const options = await fetchOptions(form);
  options.challenge = bytes(options.challenge);
  if (form.dataset.passkey === "get") {
    options.allowCredentials = described(options.allowCredentials);
    return navigator.credentials.get({ publicKey: options });
  }
  options.user.id = bytes(options.user.id);
  options.excludeCredentials = described(options.excludeCredentials);
  return navigator.credentials.create({ publicKey: options });
}

// As the browser's own toJSON() would, which not all of them have.
function asJSON({ id, rawId, type, response }) {
  const answer = { clientDataJSON: text(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) answer[name] = text(response[name]);
  }
  if (response.getTransports) answer.transports = response.getTransports();
  return JSON.stringify({ id, rawId: text(rawId), type, response: answer });
}

function sentence(form, error) {
  if (error.name === "InvalidStateError") return form.dataset.saidKnown;
  return error instanceof DOMException ? form.dataset.saidNothing : error.message;
}

async function send(form) {
  const place = form.querySelector("[data-passkey-problem]");
  const button = form.querySelector("button[type=submit]");
  place.hidden = true;
  button.disabled = true;
  try {
    form.elements.namedItem("passkey").value = asJSON(await ask(form));
    form.submit();
  } catch (error) {
    place.querySelector("p").textContent = sentence(form, error);
    place.hidden = false;
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
  form.querySelector("button[type=submit]").disabled = false; // sent without this, it is no answer
}
