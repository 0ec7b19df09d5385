-- Who has no credit code is found again by name and address: of what was lost from now on, as their forms are the program's.

ALTER TABLE losing_holders RENAME COLUMN uscc TO holder;
