import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Node 20 has WebSocket behind this flag; later ones have it and accept the flag.
    execArgv: ["--experimental-websocket"],
  },
});
