// TypeScript to JavaScript that counts where it goes: a counter before every statement, and before every expression that is
// not always evaluated. From the counters follow both what a fuzzer goes by and which lines its inputs reach.

import ts from "typescript";

/** What is nothing at run time, or has to stay in front. */
const SKIPPED = new Set([
  ts.SyntaxKind.ImportDeclaration,
  ts.SyntaxKind.ExportDeclaration,
  ts.SyntaxKind.InterfaceDeclaration,
  ts.SyntaxKind.TypeAliasDeclaration,
  ts.SyntaxKind.FunctionDeclaration,
  ts.SyntaxKind.ClassDeclaration,
]);
const SHORT_CIRCUITS = new Set([
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
]);
/** Longer literals are messages. */
const MAX_TOKEN = 40;

/**
 * @param {string} source
 * @param {string} file its name, which the code hands to `globalThis.fuzzCounters` to get its counters, with their number
 * @returns {{ code: string, lines: number[], tokens: string[] }} lines: from 1, of each counter. tokens: texts of the source,
 *   which inputs may have to contain
 */
export function instrument(source, file) {
  const lines = [];
  const tokens = new Set();
  const { outputText } = ts.transpileModule(source, {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      isolatedModules: true,
    },
    transformers: {
      before: [(context) => (tree) => ts.visitNode(tree, new Instrumenter(context, tree, lines, tokens).visit)],
    },
  });
  const preamble = `const __counts = globalThis.fuzzCounters(${JSON.stringify(file)}, ${lines.length});\n`;
  return { code: preamble + outputText, lines, tokens: [...tokens] };
}

class Instrumenter {
  constructor(context, tree, lines, tokens) {
    Object.assign(this, { context, tree, lines, tokens, factory: context.factory });
  }

  visit = (node) => {
    if (ts.isStringLiteralLike(node) && node.text !== "" && node.text.length <= MAX_TOKEN) this.tokens.add(node.text);
    if (ts.isTypeNode(node)) return node;
    const visited = ts.visitEachChild(node, this.visit, this.context);
    return this.withStatements(node, visited) ?? this.withExpressions(node, visited);
  };

  /** `__counts[n]++`, of the line where the node begins. */
  counter(node) {
    this.lines.push(this.tree.getLineAndCharacterOfPosition(node.getStart(this.tree)).line + 1);
    const counts = this.factory.createIdentifier("__counts");
    return this.factory.createPostfixIncrement(
      this.factory.createElementAccessExpression(counts, this.lines.length - 1),
    );
  }

  counted(node) {
    return this.factory.createExpressionStatement(this.counter(node));
  }

  withStatements(node, visited) {
    const { factory } = this;
    if (ts.isSourceFile(node)) return factory.updateSourceFile(visited, this.list(node, visited));
    if (ts.isBlock(node)) return factory.updateBlock(visited, this.list(node, visited));
    if (ts.isCaseClause(node)) return factory.updateCaseClause(visited, visited.expression, this.list(node, visited));
    if (ts.isDefaultClause(node)) return factory.updateDefaultClause(visited, this.list(node, visited));
    if (!ts.isIfStatement(node)) return undefined;
    const then = this.inBlock(node.thenStatement, visited.thenStatement);
    const other = this.inBlock(node.elseStatement, visited.elseStatement);
    return factory.updateIfStatement(visited, visited.expression, then, other);
  }

  list(node, visited) {
    return visited.statements.flatMap((statement, index) => {
      const original = node.statements[index];
      const isCounted = original !== undefined && !SKIPPED.has(original.kind) && !original.modifiers?.some(isDeclare);
      return isCounted ? [this.counted(original), statement] : [statement];
    });
  }

  inBlock(original, statement) {
    if (statement === undefined || ts.isBlock(statement)) return statement;
    return this.factory.createBlock([this.counted(original), statement]);
  }

  withExpressions(node, visited) {
    const { factory } = this;
    if (ts.isConditionalExpression(node)) {
      const [yes, no] = [this.comma(node.whenTrue, visited.whenTrue), this.comma(node.whenFalse, visited.whenFalse)];
      const { condition, questionToken, colonToken } = visited;
      return factory.updateConditionalExpression(visited, condition, questionToken, yes, colonToken, no);
    }
    if (ts.isBinaryExpression(node) && SHORT_CIRCUITS.has(node.operatorToken.kind)) {
      const right = this.comma(node.right, visited.right);
      return factory.updateBinaryExpression(visited, visited.left, visited.operatorToken, right);
    }
    if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
      const { modifiers, typeParameters, parameters, type, equalsGreaterThanToken: arrow } = visited;
      const body = this.comma(node.body, visited.body);
      return factory.updateArrowFunction(visited, modifiers, typeParameters, parameters, type, arrow, body);
    }
    return visited;
  }

  /** `(__counts[n]++, expression)` */
  comma(original, expression) {
    const both = this.factory.createBinaryExpression(this.counter(original), ts.SyntaxKind.CommaToken, expression);
    return this.factory.createParenthesizedExpression(both);
  }
}

function isDeclare({ kind }) {
  return kind === ts.SyntaxKind.DeclareKeyword;
}
