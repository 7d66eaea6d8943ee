/** Who may import whom: docs/architecture.md has the table these rules enforce. Type-only imports do not count. */
const room = (name) => `^src/${name}/`;
const forbid = (name, from, to, extra = {}) => ({ name, severity: 'error', from, to, ...extra });
const temporal = 'node_modules/@temporalio/';

module.exports = {
  forbidden: [
    forbid('no-cycle', {}, { circular: true }),
    forbid('not-resolvable', {}, { couldNotResolve: true }),
    forbid('domain-imports-nothing', { path: room('domain') }, { pathNot: room('domain') }),
    forbid(
      'contracts-are-json',
      { path: room('contracts') },
      { pathNot: [room('contracts'), room('domain'), 'node_modules/zod/'] },
    ),
    forbid(
      'workflows-are-pure',
      { path: room('workflows') },
      {
        path: [
          room('(activities|tools|models|backends|gateway|memory|skills|store|workers|cli|config|lib|stream)'),
          'node_modules/zod/',
        ],
        reachable: true,
      },
    ),
    forbid(
      'workflows-no-builtins',
      { path: room('workflows') },
      {
        path: '^(fs|path|os|crypto|child_process|net|http|https|url|util|stream|worker_threads|events|zlib)$',
        reachable: true,
      },
    ),
    forbid(
      'tools-know-ports-only',
      { path: room('(tools|memory|skills)') },
      {
        path: [
          temporal,
          'node_modules/@prisma',
          room('(store|gateway|workers|cli|activities|workflows|config)'),
          '^src/(models|backends)/(?!provider|backend)',
        ],
      },
    ),
    forbid(
      'adapters-know-their-port-only',
      { path: '^src/(models|backends|gateway/platforms)/' },
      { path: [temporal, 'node_modules/@prisma', room('(store|workers|cli|activities|workflows|tools|config)')] },
    ),
    forbid('models-and-backends-do-not-meet', { path: room('models') }, { path: room('backends') }),
    forbid('backends-and-models-do-not-meet', { path: room('backends') }, { path: room('models') }),
    forbid(
      'activities-know-ports-only',
      { path: room('activities') },
      { path: [room('(gateway|workers|cli|store|config)'), 'node_modules/(openai|@prisma|better-sqlite3)'] },
    ),
    forbid(
      'only-the-store-knows-the-database',
      { pathNot: room('store') },
      { path: 'node_modules/(@prisma|better-sqlite3)' },
    ),
    forbid(
      'store-stands-alone',
      { path: room('store') },
      { path: [temporal, room('(gateway|workers|cli|activities|workflows|config)')] },
    ),
    forbid(
      'the-command-is-thin',
      { path: room('cli') },
      {
        path: [temporal, 'node_modules/@prisma', 'node_modules/better-sqlite3', 'node_modules/openai'],
        reachable: true,
      },
    ),
    forbid('lib-is-domain-free', { path: room('lib') }, { path: '^src/(?!lib|contracts|domain)' }),
    forbid('nobody-imports-entry-rooms', { pathNot: '^src/(cli|workers)/' }, { path: '^src/(cli|workers)/' }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: 'src/store/generated' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
};
