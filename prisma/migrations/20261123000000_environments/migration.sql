-- Environments that sleep and wake. The row is the truth: it outlives the workflow and Temporal's own file.
CREATE TABLE "Environment" (
    "environmentId" TEXT NOT NULL PRIMARY KEY,
    "personId" TEXT NOT NULL,
    "backend" TEXT NOT NULL,
    "handle" TEXT,
    "phase" TEXT NOT NULL,
    -- Grows with every wake and every new beginning.
    "generation" INTEGER NOT NULL DEFAULT 0,
    -- Grows with every change that begins; only the newest change may write.
    "fence" INTEGER NOT NULL DEFAULT 0,
    "awakeSince" TEXT,
    "sleepingSince" TEXT,
    "sleptMs" INTEGER NOT NULL DEFAULT 0,
    "lastWakeMs" INTEGER,
    "failureCode" TEXT,
    "failureMessage" TEXT,
    "log" TEXT NOT NULL DEFAULT '[]',
    "createdAt" TEXT NOT NULL,
    "updatedAt" TEXT NOT NULL
);
CREATE INDEX "Environment_personId_updatedAt_idx" ON "Environment" ("personId", "updatedAt");

-- Which environment a conversation's commands ran in, and in which turn for the last time.
CREATE TABLE "TerminalUse" (
    "conversationId" TEXT NOT NULL REFERENCES "Conversation" ("id") ON DELETE CASCADE,
    "environmentId" TEXT NOT NULL,
    "backend" TEXT NOT NULL,
    "turn" INTEGER NOT NULL,
    -- Backend of the turns before, where this turn is the first one here.
    "movedFrom" TEXT,
    "usedAt" TEXT NOT NULL,
    PRIMARY KEY ("conversationId", "environmentId")
);
CREATE INDEX "TerminalUse_environmentId_usedAt_idx" ON "TerminalUse" ("environmentId", "usedAt");
