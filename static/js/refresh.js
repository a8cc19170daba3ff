// A part of a page with an id and data-refresh="seconds" is fetched again that often, while the
// page is seen and nothing in it is open or chosen. The fresh part says in its own data-refresh when to look next.
function schedule(region) {
  const seconds = Number(region.dataset.refresh);
  if (seconds > 0) setTimeout(refresh, seconds * 1000, region.id);
}

async function refresh(id) {
  const region = document.getElementById(id);
  if (!document.hidden && !region.querySelector(":popover-open, input:checked")) {
    const fresh = await fetchRegion(id);
    if (fresh && withoutTokens(fresh) !== withoutTokens(region)) replace(region, fresh);
  }
  schedule(document.getElementById(id));
}

async function fetchRegion(id) {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) location.reload(); // signed out elsewhere
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  } catch {
    return null; // the network is away for a moment; the next round tries again
  }
}

// Form tokens differ in every answer; they alone are no reason to replace anything.
function withoutTokens(region) {
  const copy = region.cloneNode(true);
  for (const field of copy.querySelectorAll("input[name=csrf_token]")) field.remove();
  return copy.innerHTML;
}

function replace(region, fresh) {
  const focused = region.contains(document.activeElement) ? document.activeElement.id : "";
  region.replaceWith(document.adoptNode(fresh));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

for (const region of document.querySelectorAll("[data-refresh]")) schedule(region);
