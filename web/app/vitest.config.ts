import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: {
      "@chatd/client": here("../client/src/index.ts"),
      "@chatd/react": here("../react/src/index.tsx"),
    },
  },
  test: { include: ["test/**/*.test.ts", "test/**/*.test.tsx"], testTimeout: 60_000 },
});
