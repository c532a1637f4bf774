import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../domain/messages.ts';

/** Our search attributes in Temporal's own form; those without a value are left out. */
export function attributePairs(
  values: Partial<Record<keyof typeof SEARCH_ATTRIBUTES, string | undefined>>,
): SearchAttributePair[] {
  return (Object.keys(values) as (keyof typeof SEARCH_ATTRIBUTES)[]).flatMap((name) => {
    const value = values[name];
    return value === undefined
      ? []
      : [{ key: defineSearchAttributeKey(SEARCH_ATTRIBUTES[name], 'KEYWORD'), value }];
  });
}
