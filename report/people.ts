/** Whom to call: the people of a deployment and the support of vendors, as its configuration has them. Pure. */

export interface People {
  readonly contacts: readonly {
    readonly name: string;
    readonly role: string;
    readonly level: number;
    readonly email?: string | undefined;
    readonly phone?: string | undefined;
  }[];
  readonly vendorSupport: readonly {
    readonly name: string;
    readonly contact: string;
    readonly reference?: string | undefined;
  }[];
}

/** One row a person, by level; empty where nobody is declared. */
export function contactRows({ contacts, vendorSupport }: People): string[][] {
  return [
    ...[...contacts]
      .sort((a, b) => a.level - b.level)
      .map(({ name, role, level, email = '', phone = '' }) => [`level ${level}`, name, role, email, phone]),
    ...vendorSupport.map(({ name, contact, reference = '' }) => ['support', name, contact, reference, '']),
  ];
}
