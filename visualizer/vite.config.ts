import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The page as files that the Node side serves under a strict CSP: no inline script, nothing from elsewhere, no data: URLs. */
export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  plugins: [react()],
  worker: { format: 'es' },
  build: {
    outDir: '../dist/visualizer',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2_000,
    target: 'es2022',
    // The first ones with light-dark().
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    license: { fileName: 'licenses.md' },
  },
});
