import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const TIME = 'Time comes from the injected scheduler: see src/time.';
const CHANCE = 'Chance is injected: a seed or a source given by the composition root.';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({ ...config, files: ['**/*.{ts,tsx}'] })),
  {
    files: ['**/*.{ts,tsx}'],
    languageOptions: {
      parserOptions: {
        project: [
          './tsconfig.json',
          './test/tsconfig.json',
          './visualizer/tsconfig.json',
          './visualizer/inspect-compat/tsconfig.json',
        ],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // XState's way to give a machine its types is an assertion on `{}` that this rule takes for unnecessary.
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-explicit-any': 'off', // XState's own type parameters ask for it
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      'no-console': 'error',
    },
  },
  {
    files: ['machines/**', 'src/**', 'examples/**'],
    ignores: ['src/time/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'setImmediate', 'Date', 'performance'].map((name) => ({
          name,
          message: TIME,
        })),
      ],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: CHANCE }],
    },
  },
  { files: ['visualizer/**'], ...reactHooks.configs.flat.recommended },
  {
    files: ['vitest.config.ts'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { parser: tseslint.parser, parserOptions: { project: null } },
  },
  { files: ['**/*.js'], languageOptions: { sourceType: 'module' } },
);
