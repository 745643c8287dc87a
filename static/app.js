// What makes the pages quicker to work with. Every page does all of it without this file too, in more steps.
//
// Listeners hang on the document, so that what is swapped in later works as well. One block a subject; none knows another.
"use strict";

// --- Copy: buttons that stand hidden until there is somebody who can copy -----------------------------------------
{
  const show = (root) => {
    for (const button of root.querySelectorAll("[data-copy][hidden], [data-copy-of][hidden]")) button.hidden = false;
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-of]");
    if (!button) return;
    const source = button.dataset.copyOf && document.getElementById(button.dataset.copyOf);
    const text = source ? (source.value ?? source.textContent) : button.dataset.copy;
    const label = button.querySelector("span");
    const before = (button.dataset.label ??= label.textContent);
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      label.textContent = "Select and copy it by hand";
    }
    setTimeout(() => { label.textContent = before; }, 2000);
  });

  document.addEventListener("htmx:after:swap", () => show(document));
  show(document);
}

// --- Live: one stream a page -----------------------------------------------------------------------------------------

// --- Keyboard ----------------------------------------------------------------------------------------------------------

// --- Theme -------------------------------------------------------------------------------------------------------------

// --- Compose -----------------------------------------------------------------------------------------------------------
{
  // What is said about the form follows what is typed: the server looks it over, and each part goes to its place.
  let timer, asked;

  const look = async (form) => {
    asked?.abort();
    asked = new AbortController();
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.dataset.check, { method: "POST", body, signal: asked.signal });
      if (!answer.ok || answer.redirected) return;
      const told = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of told.querySelectorAll("body > [id]")) {
        const place = document.getElementById(part.id);
        // What has not changed is not said again.
        if (place && place.innerHTML.trim() !== part.innerHTML.trim()) place.replaceChildren(...part.childNodes);
      }
    } catch {
      // The next pause in typing asks again, and the button looks over everything.
    }
  };

  const typed = (event) => {
    const form = event.target.closest("form[data-check]");
    if (!form) return;
    clearTimeout(timer);
    timer = setTimeout(look, 300, form);
  };
  document.addEventListener("input", typed);
  document.addEventListener("change", typed);

  // One press, one request. The key makes one operation of two anyway; this shows that the first press counted.
  const free = (form) => {
    delete form.dataset.underWay;
    for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
  };
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-once]");
    if (!form || event.defaultPrevented) return;
    if (form.dataset.underWay) return event.preventDefault();
    form.dataset.underWay = "true";
    // After the event, so that the pressed button is still part of what is sent.
    setTimeout(() => { for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", "true"); });
    // A request that was stopped leaves the page as it is.
    setTimeout(free, 15000, form);
  });
  addEventListener("pageshow", () => document.querySelectorAll("form[data-once]").forEach(free));
}

// --- Vault -------------------------------------------------------------------------------------------------------------
