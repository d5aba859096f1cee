/** What the page says, in the language of its reader. */
import * as english from "./en";
import type { Catalogue, ParamsOf, Text, Translation } from "./types";

const ENGLISH = { ...english.shell, ...english.views, ...english.thread };

export type Key = keyof typeof ENGLISH;
type Params<K extends Key> = ParamsOf<(typeof ENGLISH)[K]>;
type Arguments<K extends Key> = [keyof Params<K>] extends [never] ? [] : [params: Params<K>];
/** The keys of texts without parameters. */
export type PlainKey = { [K in Key]: [keyof Params<K>] extends [never] ? K : never }[Key];
export type Translations = Translation<typeof ENGLISH>;

/** The languages there are, each under its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;

const RIGHT_TO_LEFT = new Set(["ar", "fa", "he", "ur"]);
const KEPT = "chatd.language";

let language: Language = "en";
let catalogue: Catalogue = ENGLISH;
let plurals = new Intl.PluralRules("en");

/** Returns a text of the catalogue with its parameters filled in. */
export function t<K extends Key>(key: K, ...[params]: Arguments<K>): string {
  const given = (params ?? {}) as Record<string, string | number>;
  return filled(form(catalogue[key] ?? ENGLISH[key], given), given);
}

function form(text: Text, params: Record<string, string | number>): string {
  if (typeof text === "string") return text;
  const one = plurals.select(Number(params.count)) === "one";
  return (one && text.one) || text.other;
}

function filled(text: string, params: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = params[name];
    return typeof value === "number" ? number(value) : (value ?? whole);
  });
}

export function currentLanguage(): Language {
  return language;
}

/** Returns the language that was chosen, or the first of the browser's that there is. */
function wanted(): Language {
  const chosen = localStorage.getItem(KEPT);
  const names = [chosen, ...navigator.languages.map((name) => name.split("-")[0])];
  return (names.find((name) => name && name in LANGUAGES) as Language | undefined) ?? "en";
}

/** Loads the catalogue of a language; only English comes with the page. */
export async function loadLanguage(chosen: Language = wanted()): Promise<void> {
  const translations = chosen === "de" ? (await import("./de")).german : {};
  catalogue = { ...ENGLISH, ...translations };
  language = chosen;
  plurals = new Intl.PluralRules(chosen);
  document.documentElement.lang = chosen;
  document.documentElement.dir = RIGHT_TO_LEFT.has(chosen) ? "rtl" : "ltr";
}

/** Keeps a choice for the next time; the page is to be drawn again afterwards. */
export async function chooseLanguage(chosen: Language): Promise<void> {
  localStorage.setItem(KEPT, chosen);
  await loadLanguage(chosen);
}

/** Returns a number as it is written in the language. */
export function number(value: number, options?: Intl.NumberFormatOptions): string {
  return known(numbers, options, () => new Intl.NumberFormat(language, options)).format(value);
}

/** Returns a time as it is written in the language. */
export function date(value: string | number | Date, options: Intl.DateTimeFormatOptions): string {
  return known(dates, options, () => new Intl.DateTimeFormat(language, options)).format(new Date(value));
}

/** Returns how long ago something was: "3 minutes ago". */
export function ago(value: string, now = Date.now()): string {
  const seconds = (new Date(value).getTime() - now) / 1000;
  const units = [["day", 86_400], ["hour", 3_600], ["minute", 60]] as const;
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["minute", 60];
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  return format.format(Math.round(seconds / size), unit);
}

/** By language and options: to make one takes some milliseconds, the first of a kind fifty. */
const numbers = new Map<string, Intl.NumberFormat>();
const dates = new Map<string, Intl.DateTimeFormat>();

function known<Format>(formats: Map<string, Format>, options: object | undefined, make: () => Format): Format {
  const key = language + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) formats.set(key, (format = make()));
  return format;
}
