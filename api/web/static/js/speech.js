/** Spoken prompts, where the browser has a voice and the person wants one. Silent otherwise. */
const KEY = "necktrace-voice";

/** @returns {boolean} */
export function wanted() {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** @param {HTMLInputElement} box */
export function bindVoice(box) {
  box.checked = wanted();
  box.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, box.checked ? "on" : "off");
    } catch { /* private browsing: the choice holds for this page */ }
    if (!box.checked && "speechSynthesis" in window) speechSynthesis.cancel();
  });
}

/** @param {HTMLInputElement} box @param {string} words */
export function say(box, words) {
  box.dataset.said = words;
  if (!box.checked || !("speechSynthesis" in window) || words === "") return;
  speechSynthesis.cancel();
  const utterance = new SpeechSynthesisUtterance(words);
  utterance.lang = document.documentElement.lang || "en";
  utterance.rate = 0.95;
  speechSynthesis.speak(utterance);
}
