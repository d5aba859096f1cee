/** Builds the page that hostile text is tried on, into the directory that TRIAL names. */
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { mergeConfig } from "vite";
import page, { oneFormat } from "./vite.config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Not what belongs to the page that is shipped: its directory is another one.
const { plugins: _, ...rest } = page;

export default mergeConfig(
  { ...rest, plugins: [react(), oneFormat()] },
  {
    root: here("test/trial"),
    base: "/",
    publicDir: false,
    build: { outDir: process.env.TRIAL, emptyOutDir: false, minify: false, target: "chrome123" },
  },
);
