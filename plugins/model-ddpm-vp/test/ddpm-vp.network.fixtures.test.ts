import { networkCases } from '@tweedie/testing/fixtures';

networkCases('ddpm-vp');
