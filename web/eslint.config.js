import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import ts from "typescript-eslint";

const imports = (message, ...group) => ["error", { patterns: [{ group, message }] }];

export default ts.config(
  { ignores: ["node_modules", "dist", "src/api/schema.d.ts", "test-results"] },
  js.configs.recommended,
  ...ts.configs.strict,
  hooks.configs.flat.recommended,
  {
    files: ["src/canvas/**"],
    rules: {
      "no-restricted-imports": imports(
        "The canvas knows nothing of React, the store, the network or the features.",
        "react", "react-dom", "zustand", "**/features/**", "**/api/**", "**/store*", "**/strings*",
      ),
    },
  },
  { rules: { eqeqeq: "error", "no-console": "error" } },
);
