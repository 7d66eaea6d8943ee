/** Exit code of a supervisor whose home already has one (EX_TEMPFAIL). */
export const homeTakenExitCode = 75;
