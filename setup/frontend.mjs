// Copies what the pages load from node_modules into static/vendor, which is not committed:
// one style sheet, one font, and one sprite of the icons named in icons.json.
// Run after `npm ci`, from anywhere: `node setup/frontend.mjs`.
import { createHash } from "node:crypto";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const packages = join(root, "node_modules");
const vendor = join(root, "static", "vendor");
const inter = join(packages, "@fontsource-variable", "inter");

// A browser asks for the second one only when a page has a letter of it.
const SCRIPTS_OF_FONT = ["latin", "latin-ext"];

async function copyStyles() {
  const source = join(packages, "@tabler", "core", "dist", "css", "tabler.min.css");
  const text = await readFile(source, "utf8");
  await writeFile(join(vendor, "tabler.min.css"), text.replace(/\/\*# sourceMappingURL=.*\*\//, ""));
}

async function copyFont() {
  const sheet = await readFile(join(inter, "wght.css"), "utf8");
  const faces = sheet.split(/(?=\/\* inter-)/);
  const kept = faces.filter((face) => SCRIPTS_OF_FONT.some((name) => face.startsWith(`/* inter-${name}-wght`)));
  if (kept.length !== SCRIPTS_OF_FONT.length) throw new Error("the font's style sheet has changed: look at copyFont");
  let text = kept.join("");
  for (const name of SCRIPTS_OF_FONT) {
    const file = `inter-${name}-wght-normal.woff2`;
    await cp(join(inter, "files", file), join(vendor, file));
    text = text.replaceAll(`./files/${file}`, `./${file}?v=${await contentOf(join(vendor, file))}`);
  }
  await writeFile(join(vendor, "inter.css"), text);
}

// As app/web/assets.py names what is in a file: a browser keeps it for as long as that stays.
async function contentOf(path) {
  return createHash("sha256").update(await readFile(path)).digest("hex").slice(0, 12);
}

async function drawSprite() {
  const names = JSON.parse(await readFile(join(root, "setup", "icons.json"), "utf8"));
  const symbols = await Promise.all(names.map(drawSymbol));
  const open = '<svg xmlns="http://www.w3.org/2000/svg">';
  await writeFile(join(vendor, "icons.svg"), [open, ...symbols, "</svg>", ""].join("\n"));
}

async function drawSymbol(name) {
  const source = await readFile(join(packages, "@tabler", "icons", "icons", "outline", `${name}.svg`), "utf8");
  const shapes = source.slice(source.indexOf(">") + 1, source.lastIndexOf("</svg>"));
  const drawn = shapes.replace('<path stroke="none" d="M0 0h24v24H0z" fill="none" />', "").replace(/\s+/g, " ").trim();
  return `<symbol id="${name}" viewBox="0 0 24 24">${drawn}</symbol>`;
}

await rm(vendor, { recursive: true, force: true });
await mkdir(vendor, { recursive: true });
await Promise.all([copyStyles(), copyFont(), drawSprite()]);
