/** Drawings, byte for byte; `UPDATE_GOLDEN=1` writes them anew, and their diff is the review. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { comparisonDrawing } from '../../bench/comparison-drawing.ts';
import { curveDrawing } from '../../bench/curve-drawing.ts';
import type { Comparison, Curve } from '../../bench/outcome.ts';

const comparison: Comparison = {
  what: 'Questions, "cached" & <new>',
  unit: 'µs',
  better: 'less',
  reference: 'rival',
  series: [
    { name: 'netwalld', samples: [11, 10, 12] },
    { name: 'rival', samples: [8, 9, 7.5] },
  ],
};
const apart: Comparison = { ...comparison, what: 'Far apart', series: [{ name: 'netwalld', samples: [2] }, { name: 'rival', samples: [900, 1100] }] };
const curve: Curve = {
  what: 'Memory',
  x: { label: 'policies', scale: 'logarithmic' },
  y: { label: 'MB', scale: 'linear' },
  lines: [
    { name: 'idle', points: [{ x: 10, y: 80 }, { x: 100, y: 90, low: 85, high: 95 }, { x: 1000, y: 120 }] },
    { name: 'busy', points: [{ x: 0, y: 1 }, { x: 10, y: 85 }, { x: 1000, y: 160 }] },
  ],
};

const drawings = { comparison: comparisonDrawing(comparison), apart: comparisonDrawing(apart), curve: curveDrawing(curve) };

for (const [name, drawn] of Object.entries(drawings)) {
  test(`${name}.svg`, (t) => {
    const path = fileURLToPath(new URL(`golden/${name}.svg`, import.meta.url));
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, drawn);
    t.is(drawn, readFileSync(path, 'utf8'));
    t.false(/NaN|Infinity|undefined|<script|href/.test(drawn));
  });
}

test('what has no place on a logarithmic axis is left out', (t) => t.is([...drawings.curve.matchAll(/<circle/g)].length, 5));

test('many points are a line without dots', (t) => {
  const points = Array.from({ length: 300 }, (_, x) => ({ x, y: x % 7 }));
  const drawn = curveDrawing({ ...curve, x: { label: 's', scale: 'linear' }, lines: [{ name: 'memory', points }] });
  t.false(drawn.includes('<circle'));
});

test('nothing to draw is said', (t) => {
  t.throws(() => curveDrawing({ ...curve, lines: [{ name: 'none', points: [{ x: 0, y: 1 }] }] }), { message: /no point/ });
});

test('drawings are well-formed XML', (t) => {
  for (const drawn of Object.values(drawings)) t.notThrows(() => execFileSync('/usr/bin/perl', ['-e', wellFormed], { input: drawn, stdio: 'pipe' }));
});

/** Tags that open and close in order, and no stray & or <: all that drawings are made of. */
const wellFormed = String.raw`
local $/; $_ = <STDIN>; s/<style>.*?<\/style>//s; my @open;
while (/\G(?:[^<&]|&(?:amp|lt|gt|quot);)*<(\/?)([a-z]+)((?:\s[a-zA-Z0-9-]+="(?:[^<&"]|&(?:amp|lt|gt|quot);)*")*)(\/?)>/gc) {
  if ($1) { die "unexpected </$2>" if pop @open ne $2 } elsif (!$4) { push @open, $2 }
}
die "unclosed @open" if @open; die "stray text" unless /\G\s*\z/;`;
