/** Words and numbers for people, from the page's catalogue. DOM-free apart from `loadCatalogue`. */

/** @type {Record<string, string>} */
let catalogue = {};

/** @param {Record<string, string>} texts */
export function setCatalogue(texts) {
  catalogue = texts;
}

/** Read the catalogue that the server put into the page. */
export function loadCatalogue() {
  const element = document.getElementById("catalogue");
  setCatalogue(JSON.parse(element?.textContent || "{}"));
}

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function text(key, values = {}) {
  const template = catalogue[key] ?? key;
  return template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** @param {number} value @param {number} [digits] */
export function number(value, digits = 0) {
  return value.toLocaleString(document.documentElement.lang || "en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/**
 * "Turned right 25°"; within a degree and a half of zero, the word for straight.
 * @param {"rotation" | "lateral" | "flexion"} axis
 * @param {number | null} degrees
 */
export function angleWords(axis, degrees) {
  if (degrees === null) return text("angle.none");
  const rounded = Math.round(Math.abs(degrees));
  if (rounded < 2) return text(`angle.${axis}.zero`);
  return text(`angle.${axis}.${degrees > 0 ? "positive" : "negative"}`, { deg: number(rounded) });
}

/** @param {number | null} degrees with sign and one digit, for those who want the number */
export function signed(degrees) {
  if (degrees === null) return text("unit.none");
  const value = Math.abs(degrees) < 0.05 ? 0 : degrees;
  return text("angle.signed", { value: (value > 0 ? "+" : value < 0 ? "−" : "") + number(Math.abs(value), 1) });
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 9.95) return text("unit.seconds", { n: number(seconds, 1) });
  if (seconds < 59.5) return text("unit.seconds", { n: number(seconds) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return text("unit.minutes", { n: number(minutes) });
  return text("unit.hours", { h: number(Math.floor(minutes / 60)), m: String(minutes % 60).padStart(2, "0") });
}

/**
 * Time of day in the patient's zone.
 * @param {number} ms
 * @param {string} zone
 */
export function clock(ms, zone) {
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms);
}
