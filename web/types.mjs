// Writes client/src/contract.ts: the types of the server's own contract documents.
//
//     node types.mjs OPENAPI.json ASYNCAPI.json [> client/src/contract.ts]
//
// What both documents describe has one name in both, and is written once.

import { readFile } from "node:fs/promises";
import { compile } from "json-schema-to-typescript";

const [openapi, asyncapi] = await Promise.all(
  process.argv.slice(2, 4).map(async (file) => JSON.parse(await readFile(file, "utf8"))),
);
const schemas = { ...openapi.components.schemas, ...asyncapi.components.schemas };
const names = Object.keys(schemas).sort();

/** Whether a schema allows any value: it says at most what the value is for. */
function isAnything(schema) {
  return Object.keys(schema).every((key) => ["description", "title"].includes(key));
}

/** Returns a schema whose references point into one list of definitions, and say nothing more. */
function moved(value) {
  if (Array.isArray(value)) return value.map(moved);
  if (value === null || typeof value !== "object") return value;
  if (value.$ref) return { $ref: value.$ref.replace("#/components/schemas/", "#/$defs/") };
  if (isAnything(value)) return { tsType: "unknown" };
  const copy = {};
  for (const [key, inner] of Object.entries(value)) {
    if (key === "properties") copy[key] = mapped(inner);
    else if (key !== "example" && key !== "examples") copy[key] = moved(inner);
  }
  return copy;
}

/** Returns an object of schemas, each moved. */
function mapped(schemas) {
  return Object.fromEntries(Object.entries(schemas).map(([name, one]) => [name, moved(one)]));
}

const text = await compile(
  {
    $defs: Object.fromEntries(names.map((name) => [name, { ...moved(schemas[name]), title: name }])),
    type: "object",
    title: "Contract",
    additionalProperties: false,
    required: names,
    properties: Object.fromEntries(names.map((name) => [name, { $ref: `#/$defs/${name}` }])),
  },
  "Contract",
  {
    additionalProperties: false,
    bannerComment: "// Made by types.mjs from /api/openapi.json and /api/asyncapi.json. Do not edit.",
    format: false,
    strictIndexSignatures: false,
  },
);
process.stdout.write(text);
