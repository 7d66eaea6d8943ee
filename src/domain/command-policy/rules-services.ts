import { hasLong, hasShort, operands, subcommand, type Call } from './options.ts';
import { isKnown } from './scope.ts';
import { ask, type Finding } from './verdict.ts';

/** `tool verb` pairs that put something before the world or take it away there. */
const publishing: Readonly<Record<string, RegExp>> = {
  npm: /^(?:publish|unpublish|deprecate|dist-tag|owner|access)$/,
  pnpm: /^(?:publish|unpublish|deprecate)$/,
  yarn: /^(?:publish|npm publish)$/,
  bun: /^publish$/,
  cargo: /^(?:publish|yank|owner)$/,
  twine: /^upload$/,
  poetry: /^publish$/,
  uv: /^publish$/,
  flit: /^publish$/,
  hatch: /^publish$/,
  gem: /^(?:push|yank)$/,
  mvn: /^(?:deploy|release:perform)$/,
  gradle: /^publish/,
  dotnet: /^nuget push$/,
  docker: /^(?:push|image push)$/,
  podman: /^push$/,
  helm: /^(?:push|uninstall|delete|rollback)$/,
  gh: /^(?:release create|release delete|repo delete|repo archive|secret set|pr merge)$/,
  terraform: /^(?:apply|destroy)$/,
  tofu: /^(?:apply|destroy)$/,
  pulumi: /^(?:up|destroy)$/,
  kubectl: /^(?:delete|drain|replace)$/,
  vercel: /^(?:deploy|remove|rm)$/,
  fly: /^(?:deploy|destroy|apps destroy)$/,
  heroku: /^(?:apps:destroy|pg:reset)$/,
};

const valueOptions = [
  '-C',
  '--prefix',
  '--cwd',
  '-n',
  '--namespace',
  '--context',
  '--host',
  '-H',
  '-R',
  '--repo',
  '-w',
];

export function publishRule(call: Call): Finding[] {
  const pattern = Object.hasOwn(publishing, call.name) ? publishing[call.name] : undefined;
  if (pattern === undefined || hasLong(call.args, 'dry-run', 'help')) return [];
  const [first = '', second = ''] = subcommand(call.args, valueOptions);
  const verb = [`${first} ${second}`, first].find((text) => pattern.test(text));
  return verb === undefined
    ? []
    : [ask(`${call.name} ${verb}`, 'changes something outside this machine that others see')];
}

export function dockerRule(call: Call): Finding[] {
  const words = subcommand(call.args, valueOptions);
  const [first = '', second = ''] = words;
  const findings: Finding[] = [];
  if (first === 'prune' || second === 'prune')
    findings.push(ask(`docker ${first} prune`, 'removes containers, images or volumes'));
  if (first === 'volume' && /^rm|^remove/.test(second)) findings.push(ask('docker volume rm', 'removes stored data'));
  if (first === 'compose' && words.includes('down') && (hasShort(call.args, 'v') || hasLong(call.args, 'volumes'))) {
    findings.push(ask('docker compose down -v', 'removes stored data'));
  }
  if (/^(?:run|create|exec)$/.test(first) && reachesHost(call.args)) {
    findings.push(ask('docker run with host access', 'gives a container the whole machine'));
  }
  return findings;
}

function reachesHost(args: readonly string[]): boolean {
  return args.some((arg) =>
    /^--privileged$|^--pid=host$|^(?:-v|--volume=|--mount=.*(?:source|src)=)?\/:|^(?:-v|--volume=)?\/(?:etc|root|home)?\/?:|docker\.sock|(?:source|src)=\/,/.test(
      arg,
    ),
  );
}

export function cloudRule(call: Call): Finding[] {
  const words = call.args.filter((arg) => !arg.startsWith('-'));
  if (hasLong(call.args, 'dry-run', 'dryrun')) return [];
  const destroys = words.find((word) =>
    /^(?:rm|rb|delete|destroy|terminate-instances|delete-[\w-]+|remove)$/.test(word),
  );
  return destroys === undefined ? [] : [ask(`${call.name} ${destroys}`, 'removes something in a cloud account')];
}

/** SQL that takes data away: DROP, TRUNCATE, DELETE or UPDATE of a whole table. */
export function sqlRule(call: Call): Finding[] {
  const sql = [...call.args, call.input ?? ''].filter(isKnown).join(';\n');
  return findSql(sql);
}

function findSql(sql: string): Finding[] {
  const findings: Finding[] = [];
  const plain = sql.replace(/--[^\n]*/g, ' ').replace(/\/\*[^*]*\*\//g, ' ');
  for (const statement of plain.split(';')) {
    const drop = /\bDROP\s+(TABLE|DATABASE|SCHEMA|USER|ROLE|VIEW|INDEX|COLUMN)\b/i.exec(statement);
    if (drop !== null) findings.push(ask(`SQL DROP ${(drop[1] ?? '').toUpperCase()}`, 'drops a part of a database'));
    if (/\bTRUNCATE\s+(?:TABLE\s+)?[\w"'`.]+/i.test(statement)) findings.push(ask('SQL TRUNCATE', 'empties a table'));
    if (/\bDELETE\s+FROM\b/i.test(statement) && !/\bWHERE\b/i.test(statement)) {
      findings.push(ask('SQL DELETE without WHERE', 'empties a table'));
    }
    if (/\bUPDATE\s+[\w"'`.]+\s+SET\b/i.test(statement) && !/\bWHERE\b/i.test(statement)) {
      findings.push(ask('SQL UPDATE without WHERE', 'changes every row of a table'));
    }
  }
  return findings;
}

/** `redis-cli FLUSHALL`, `mongosh --eval 'db.dropDatabase()'`, `dropdb`. */
export function databaseRule(call: Call): Finding[] {
  const text = [...call.args, call.input ?? ''].join(' ');
  const destroys =
    /\bFLUSH(?:ALL|DB)\b/i.test(text) || /\.drop(?:Database)?\(|deleteMany\(\s*(?:\{\s*\})?\s*\)/.test(text);
  if (call.name === 'dropdb' && operands(call.args).length > 0) return [ask('dropdb', 'drops a database')];
  return destroys ? [ask(`${call.name} drop`, 'empties a database')] : [];
}
