// Buttons with data-copy put that text on the clipboard, and say so for two seconds.
const SHOWN_MS = 2000;

async function copy(button) {
  const label = button.querySelector("[data-copy-label]");
  const before = label.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    return selectNearby(button);
  }
  button.classList.add("is-copied");
  label.textContent = button.dataset.copied;
  setTimeout(() => {
    button.classList.remove("is-copied");
    label.textContent = before;
  }, SHOWN_MS);
}

// Without the right to write the clipboard (plain http on a name), the text is selected instead.
function selectNearby(button) {
  const text = button.parentElement.querySelector("code, a, output");
  if (text) getSelection().selectAllChildren(text);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button && !button.classList.contains("is-copied")) copy(button);
});
