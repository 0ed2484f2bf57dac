/**
 * Problem p1 of the GMM-25 family (Cardoso et al. 2024, arXiv:2308.07983), the instance whose solvers' times are
 * published; by value.
 */
export const weights = [
  0.13359426, 0.000188931052, 0.000213663152, 0.00119876303, 0.00780638075, 0.096559085, 0.00297942525, 0.0447051935,
  0.224813804, 0.00609618006, 0.0161678325, 0.0151707036, 0.0319338627, 0.0387930311, 0.0362611189, 0.0247192532,
  0.00183401816, 0.0192447063, 0.105188519, 0.027953526, 0.110280804, 0.00123375945, 0.0000406921317, 0.0000807872493,
  0.0529416539,
];
export const sigmaY = 0.00477686245;
export const y = -0.294557124;
export const A = [
  -0.0162335224, -0.0112689389, -0.0524619594, -0.0180465467, 0.00344864791, -0.0268270802, 0.0588665605, 0.0361273028,
];
const grid = [-2, -1, 0, 1, 2];
/** The means: component 5 (i + 2) + (j + 2) sits at (-8i, -8j, -8i, -8j, ...) and has unit covariance. */
export const means = grid.flatMap((i) => grid.map((j) => A.map((_, axis) => -8 * (axis % 2 === 0 ? i : j))));
/** The family's forward process: betas that fall from 0.02 to 1e-4. */
export const betas = Array.from({ length: 999 }, (_, n) => 0.02 + ((1e-4 - 0.02) * n) / 998);
