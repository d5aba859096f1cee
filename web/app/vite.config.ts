/** Builds the page into the Python package, and serves it to those who work on it. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const PAGE = here("../../chatd/static/page");
const SERVER = process.env.CHATD_URL ?? "http://localhost:8000";
const SHORTEST = 1_000; // bytes: of a shorter file little is saved

/** Puts a compressed copy beside each file that is text: the server does not compress. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async writeBundle() {
      const names = await readdir(`${PAGE}/assets`);
      const texts = names.filter((name) => /\.(css|js|svg)$/.test(name));
      await Promise.all(texts.map((name) => compress(`${PAGE}/assets/${name}`)));
    },
  };
}

/** Leaves of KaTeX's fonts the one format that every browser reads which can run the page. */
export function oneFormat(): Plugin {
  return {
    name: "one-format",
    enforce: "pre",
    transform(code, id) {
      if (!/katex(\.min)?\.css/.test(id)) return undefined;
      return code.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\(["']\w+["']\)/g, "");
    },
  };
}

async function compress(path: string): Promise<void> {
  const content = await readFile(path);
  if (content.length < SHORTEST) return;
  await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
}

export default defineConfig({
  base: "/static/page/",
  plugins: [react(), oneFormat(), compressed()],
  resolve: {
    alias: {
      "@chatd/client": here("../client/src/index.ts"),
      "@chatd/react": here("../react/src/index.tsx"),
    },
  },
  worker: { format: "es" },
  build: {
    outDir: PAGE,
    emptyOutDir: true,
    target: ["chrome123", "firefox128", "safari17.5"],
    assetsInlineLimit: 0, // the policy allows data: for images only
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/ai-chat": SERVER,
      "/ws": { target: SERVER.replace(/^http/, "ws"), ws: true },
      "/static/icon.svg": SERVER,
      "/docs": SERVER,
    },
  },
});
