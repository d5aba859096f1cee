/** Types of a catalogue: which keys there are, and which parameters their texts have. */

/** A text with `{name}` for each parameter, or one for each plural form of its parameter `count`. */
export type Text = string | { readonly one?: string; readonly other: string };
export type Catalogue = Readonly<Record<string, Text>>;

type NamesIn<T> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | NamesIn<Rest> : never;
type TextOf<T> = T extends { readonly other: infer Other } ? Other : T;

/** The names of the parameters of a text. A plural always has `count`. */
export type NamesOf<T> = NamesIn<TextOf<T>> | (T extends string ? never : "count");
export type ParamsOf<T> = { readonly [Name in NamesOf<T>]: Name extends "count" ? number : string | number };

/** A translation: the same keys, any text. What is missing is shown in English. */
export type Translation<C> = { readonly [Key in keyof C]?: Text };
