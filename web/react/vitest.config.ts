import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: { "@chatd/client": fileURLToPath(new URL("../client/src/index.ts", import.meta.url)) },
  },
  test: {
    // A document of happy-dom, but Node's own fetch and WebSocket: the server is a real one.
    setupFiles: ["test/document.ts"],
    include: ["test/**/*.test.tsx"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    execArgv: ["--experimental-websocket"],
  },
});
