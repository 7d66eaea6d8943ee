/** Exit code of a supervisor whose home already has one (EX_TEMPFAIL). */
export const homeTakenExitCode = 75;

/** Exit code of a part when a person must mend something first: configuration, database (EX_CONFIG). */
export const needsPersonExitCode = 78;
