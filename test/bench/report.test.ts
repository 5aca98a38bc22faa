/** The page says what was recorded last: after `npm run bench -- --record`, `npm run bench -- --report`. */
import test from 'ava';
import { due, standing } from '../../bench/report.ts';

test('docs/BENCHMARKS.md and its drawings are what the recordings give', (t) => t.deepEqual(standing(), due()));
