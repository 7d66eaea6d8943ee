import { providerTable } from '../domain/model-providers.ts';
import { allSettings, type NamedSetting } from './schema.ts';

/** The page docs/configuration.md, made from the schema so that it cannot say anything else. */
export function configurationPage(): string {
  const fixed = allSettings().filter(({ key }) => !key.startsWith('providers.'));
  const sections = [...new Set(fixed.map(({ key }) => key.split('.')[0] ?? ''))];
  const tables = sections.map((section) => {
    const rows = fixed.filter(({ key }) => key.startsWith(`${section}.`)).map((named) => row(named.key, named));
    return `## ${section}\n\n${header}${rows.join('')}`;
  });
  return `${introduction}\n${tables.join('\n')}\n${providersSection()}`;
}

const introduction = `# Configuration

This page is made from the schema by \`npm run docs:config\`.

Settings live in \`config.yaml\` in the home folder (\`HERMES_HOME\`, \`~/.hermes\` by default); keys and tokens live apart in
\`secrets.yaml\`, which must have mode 0600 and is not read otherwise. There is no \`.env\` file: none is read and none is
written.

- A variable of the environment is stronger than the files, the files are stronger than the defaults. Every key has its
  variable: \`HERMES_\`, the section, the key, as in \`HERMES_MODEL_BASE_URL\` for \`model.baseUrl\`. A list is written with commas
  or as JSON. An empty variable says nothing.
- A change in a file takes effect at the next turn, without a restart; ports, the Temporal connection and the log level at the
  next start of the service. While a file is broken, the last good settings stay in force.
- \`hermes config set KEY VALUE\` checks the value, keeps comments and order, and puts secrets where they belong.
  \`hermes config list\` shows every key with its value and where that comes from.
- Secrets are never printed: of a long one the last four characters are shown, of a short one nothing.

\`\`\`yaml
# config.yaml
model:
  provider: openrouter
  name: vendor/model
agent:
  maxCostPerDayUsd: 5
\`\`\`
`;

const header = `| Key | Takes | Default | Variable | Meaning |\n|---|---|---|---|---|\n`;

function row(label: string, { setting, env }: NamedSetting): string {
  const notSet = setting.default === null;
  const fallback = notSet
    ? 'not set'
    : `\`${typeof setting.default === 'string' ? setting.default : JSON.stringify(setting.default)}\``;
  const takes = setting.secret ? 'text, kept in secrets.yaml' : setting.accepts;
  const variables = env.map((name) => `\`${name}\``).join(', ');
  return `| \`${label}\` | ${[takes, fallback, variables, setting.description].map(cell).join(' | ')} |\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function providersSection(): string {
  const example = allSettings().filter(({ key }) => key.startsWith('providers.openai.'));
  const rows = example.map((named) => {
    const label = named.key.replace('.openai.', '.<id>.');
    return row(label, { ...named, env: named.env.map((name) => name.replace('_OPENAI_', '_<ID>_')) });
  });
  const providers = providerTable.map(({ id, title, baseUrl, keyEnv, defaultModel }) => {
    const cells = [title, baseUrl ?? '', keyEnv.map((name) => `\`${name}\``).join(', '), defaultModel ?? ''];
    return `| \`${id}\` | ${cells.map(cell).join(' | ')} |\n`;
  });
  return `## providers

Keys and addresses of providers beside the chosen one, for \`/model\` and \`model.fallback\`. A key is never sent to a provider it
was not given for.

${header}${rows.join('')}
Where no provider is chosen, the first one of this list answers whose key is found; without any key it is \`demo\`. Servers of
this machine are used only when chosen; \`hermes setup\` finds them.

| Id | Provider | Address | Its key is found in | Usual model |
|---|---|---|---|---|
${providers.join('')}`;
}
