/** Style and script of the page, and the policy that lets a browser run these two texts and nothing else. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export interface PageAssets {
  style: string;
  script: string;
  /** Content of the Content-Security-Policy. */
  policy: string;
}

export function readAssets(): PageAssets {
  const read = (name: string): string => readFileSync(new URL(`./page/${name}`, import.meta.url), 'utf8');
  const style = read('page.css');
  const script = read('page.js');
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${sha256(style)}'`,
    `script-src 'sha256-${sha256(script)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return { style, script, policy };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}
