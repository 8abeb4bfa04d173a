"use strict";
/* Runs before the page is drawn, so that a chosen theme never flashes. */
(() => {
  const root = document.documentElement;
  const chosen = localStorage.getItem("necktrace.theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.addEventListener("click", () => {
        const dark = root.dataset.theme
          ? root.dataset.theme === "dark"
          : matchMedia("(prefers-color-scheme: dark)").matches;
        root.dataset.theme = dark ? "light" : "dark";
        localStorage.setItem("necktrace.theme", root.dataset.theme);
        document.dispatchEvent(new CustomEvent("necktrace:theme"));
      });
    }
  });
})();
