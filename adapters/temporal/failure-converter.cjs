// The texts and stacks of failures as payloads, so that they are encrypted as well. Temporal's SDK loads this by its
// path, in the process and in the workflow sandbox: hence CommonJS, and nothing that needs a compiler.
const { DefaultFailureConverter } = require('@temporalio/common');

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
