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

// --- Vault -------------------------------------------------------------------------------------------------------------
