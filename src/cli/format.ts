export { ago, compactNumber, duration, money } from '../lib/short-forms.ts';
